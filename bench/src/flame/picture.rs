//! Stacks as an SVG that a browser can search and zoom.
//!
//! Colours follow from names, so that two pictures of the same code look alike.

use std::fs::File;
use std::io::{BufWriter, Result, Write as _};
use std::path::Path;

use inferno::flamegraph::color::{BackgroundColor, BasicPalette, MultiPalette, Palette};
use inferno::flamegraph::{self, Options};

use super::Kind;
use super::stacks::Stacks;

const WIDTH: usize = 1400;

pub(super) fn draw(
    file: &Path,
    title: &str,
    kind: Kind,
    stacks: &Stacks,
    min_width: f64,
) -> Result<()> {
    let mut options = Options::default();
    title.clone_into(&mut options.title);
    kind.unit().clone_into(&mut options.count_name);
    options.colors = match kind {
        Kind::OnCore => Palette::Multi(MultiPalette::Rust),
        Kind::OffCore => Palette::Basic(BasicPalette::Aqua),
    };
    options.bgcolors = Some(BackgroundColor::Grey);
    options.hash = true;
    options.image_width = Some(WIDTH);
    options.min_width = min_width;
    let lines = stacks.lines();
    let mut drawn = Vec::new();
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut drawn)?;
    let mut out = BufWriter::new(File::create(file)?);
    // The remarks of the picture's script are its authors', and no part of what it shows.
    for line in drawn.split_inclusive(|byte| *byte == b'\n') {
        if !line.trim_ascii_start().starts_with(b"//") {
            out.write_all(line)?;
        }
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_frame_is_left_out() {
        let script = "\
a 7/7 10.1: 9999 cpu-clock:
	          14 wide (/a)

a 7/7 10.2: 1 cpu-clock:
	          15 narrow (/a)

";
        let stacks = Stacks::fold(script.as_bytes()).unwrap();
        let file = std::env::temp_dir().join(format!("ringkeeper-{}.svg", std::process::id()));
        draw(&file, "a title", Kind::OnCore, &stacks, 0.3).unwrap();
        let svg = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(svg.contains("a title") && svg.contains("wide") && !svg.contains("narrow"));
    }
}
