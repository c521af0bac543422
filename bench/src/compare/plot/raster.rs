//! A picture as pixels, for those who show no SVG.
//!
//! Not here: what is drawn.

use std::sync::Arc;

use resvg::usvg::{self, fontdb};
use resvg::{render, tiny_skia};

use super::PlotError;

/// Pixels for each unit of the SVG: enough for a dense screen.
const SCALE: f32 = 2.0;

/// Looked for in this order where a picture asks for "sans-serif".
const FONTS: [&str; 4] = ["DejaVu Sans", "Liberation Sans", "Noto Sans", "Arial"];

/// The PNG of an SVG.
pub(crate) fn png(svg: &str) -> Result<Vec<u8>, PlotError> {
    let options = usvg::Options { fontdb: Arc::new(fonts()?), ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(svg, &options)?;
    let size = tree.size();
    let (width, height) = (size.width() * SCALE, size.height() * SCALE);
    let mut pixels = tiny_skia::Pixmap::new(width as u32, height as u32)
        .ok_or_else(|| PlotError::Png(format!("{width} x {height} pixels are too many")))?;
    render(&tree, tiny_skia::Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| PlotError::Png(error.to_string()))
}

fn fonts() -> Result<fontdb::Database, PlotError> {
    let mut fonts = fontdb::Database::new();
    fonts.load_system_fonts();
    let has = |name: &str| {
        fonts.faces().any(|face| face.families.iter().any(|(family, _)| family == name))
    };
    let named = FONTS.into_iter().find(|name| has(name)).map(str::to_owned);
    let any = || fonts.faces().find_map(|face| face.families.first().map(|(name, _)| name.clone()));
    let family = named.or_else(any).ok_or(PlotError::NoFont)?;
    fonts.set_sans_serif_family(family);
    Ok(fonts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_png_has_twice_the_size_of_its_svg() {
        let svg = "<svg width=\"40\" height=\"30\" xmlns=\"http://www.w3.org/2000/svg\">\
                   <rect width=\"40\" height=\"30\" fill=\"#0072b2\"/></svg>";
        let png = match png(svg) {
            Ok(png) => png,
            // What a machine without fonts is told.
            Err(error) => return assert!(matches!(error, PlotError::NoFont), "{error}"),
        };
        assert_eq!(&png[1..4], b"PNG");
        assert_eq!(&png[16..24], [0, 0, 0, 80, 0, 0, 0, 60]);
    }
}
