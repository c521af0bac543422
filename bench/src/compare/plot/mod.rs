//! The comparison as pictures: drawn once as SVG, and the PNG is that SVG as pixels.
//!
//! - `throughput`: bars, shape by shape.
//! - `latency`, `timeline`: a panel a shape.
//! - `rates`: latency by offered rate.
//! - `raster`: SVG to PNG.
//!
//! The two systems differ in colour, in line and in mark, so that a print in grey and an eye that
//! does not tell red from green can read them.
//!
//! Not here: the figures (`sample`, `curve`), the page around the pictures (`html`).

mod latency;
mod raster;
mod rates;
mod throughput;
mod timeline;

use std::fs::File;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::prelude::*;

use super::{Comparison, Sample, Series};

pub(crate) use raster::png;

/// Blue and vermilion of Okabe and Ito's palette.
pub(crate) const RINGKEEPER: RGBColor = RGBColor(0x00, 0x72, 0xb2);
pub(crate) const ZOOKEEPER: RGBColor = RGBColor(0xd5, 0x5e, 0x00);

const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
pub(crate) const GRID: RGBColor = RGBColor(0xe2, 0xe2, 0xe2);
pub(crate) const AXIS: RGBColor = RGBColor(0x88, 0x88, 0x88);

pub(crate) const WIDTH: u32 = 1100;
pub(crate) const HEADER: u32 = 64;
const COLUMNS: usize = 2;
const PANEL_HEIGHT: u32 = 270;

pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(crate) type Drawn = Result<(), Box<dyn std::error::Error>>;

/// A picture, and what it shows.
pub(crate) struct Picture {
    /// Of the file, without its kind.
    pub(crate) name: &'static str,
    pub(crate) caption: &'static str,
    pub(crate) svg: String,
}

impl Picture {
    pub(crate) fn drawn(
        name: &'static str,
        caption: &'static str,
        draw: impl FnOnce(&mut String) -> Drawn,
    ) -> Result<Self, PlotError> {
        let mut svg = String::new();
        draw(&mut svg).map_err(|error| PlotError::Draw { name, reason: error.to_string() })?;
        Ok(Self { name, caption, svg })
    }
}

/// Why a picture is missing.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    #[error("{name}.svg cannot be drawn: {reason}")]
    Draw { name: &'static str, reason: String },
    #[error("{0}: {1}")]
    Write(PathBuf, std::io::Error),
    #[error("the PNG of a picture: {0}")]
    Svg(#[from] resvg::usvg::Error),
    #[error("the PNG of a picture: {0}")]
    Png(String),
    #[error("a PNG needs a font for its text: install one, as fonts-dejavu-core")]
    NoFont,
}

/// All pictures of a comparison.
pub(super) fn all(comparison: &Comparison) -> Result<Vec<Picture>, PlotError> {
    let drawn = |name, caption, draw: fn(&Comparison, &mut String) -> Drawn| {
        Picture::drawn(name, caption, |svg| draw(comparison, svg))
    };
    let mut pictures = vec![
        drawn(
            "throughput",
            "Operations a second, medians of the closed loops. The axis is logarithmic; beside \
             each pair of bars stands Ringkeeper's figure by ZooKeeper's.",
            throughput::draw,
        )?,
        drawn(
            "latency",
            "Latency of all runs together: the share of the answers that came within so many \
             milliseconds. Both axes are logarithmic; lower is better.",
            latency::draw,
        )?,
        drawn(
            "timeline",
            "Operations a second in each measured second, run after run; upright lines stand \
             between the runs. The axis is logarithmic; a mark on its lower edge is a second with \
             fewer operations than that.",
            timeline::draw,
        )?,
    ];
    if let Some(rates) = comparison.rates() {
        let caption = "Latency while both are asked the same rate; a curve ends where the system \
                       no longer keeps up. All axes are logarithmic; lower is better.";
        let draw = |svg: &mut String| rates::draw(comparison, rates, svg);
        pictures.push(Picture::drawn("rates", caption, draw)?);
    }
    Ok(pictures)
}

/// All as SVG first: without a font there is no PNG, but the rest is there.
pub(crate) fn write(folder: &Path, pictures: &[Picture]) -> Result<(), PlotError> {
    let write = |name: String, bytes: &[u8]| {
        let path = folder.join(name);
        let written = File::create(&path).and_then(|mut file| file.write_all(bytes));
        written.map_err(|error| PlotError::Write(path, error))
    };
    for Picture { name, svg, .. } in pictures {
        write(format!("{name}.svg"), svg.as_bytes())?;
    }
    pictures
        .iter()
        .try_for_each(|Picture { name, svg, .. }| write(format!("{name}.png"), &png(svg)?))
}

/// One panel for each of `all`, below a title and the names of the systems.
fn panels(
    comparison: &Comparison,
    title: &str,
    all: &[&Series],
    svg: &mut String,
    draw: impl Fn(&Series, &Area<'_>) -> Drawn,
) -> Drawn {
    let lines = all.len().div_ceil(COLUMNS).max(1);
    let height = HEADER + PANEL_HEIGHT * u32::try_from(lines)?;
    let root = SVGBackend::with_string(svg, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let (header, body) = root.split_vertically(HEADER);
    head(comparison, title, &header)?;
    for (series, area) in all.iter().zip(body.split_evenly((lines, COLUMNS))) {
        draw(series, &area)?;
    }
    root.present()?;
    Ok(())
}

/// The title, and which line is whose.
fn head(comparison: &Comparison, title: &str, area: &Area<'_>) -> Drawn {
    let conditions = comparison.conditions();
    legend([&conditions.ringkeeper, &conditions.zookeeper].into_iter(), title, area)
}

/// The title, and which line is whose: Ringkeeper's, and ZooKeeper's if there is a second.
pub(crate) fn legend<'a>(
    names: impl Iterator<Item = &'a String>,
    title: &str,
    area: &Area<'_>,
) -> Drawn {
    area.draw(&Text::new(title.to_owned(), (14, 12), text(19)))?;
    let names = names.zip([RINGKEEPER, ZOOKEEPER]);
    for (x, (name, colour)) in [14, 234].into_iter().zip(names) {
        let line = [(x, 48), (x + 30, 48)];
        area.draw(&PathElement::new(line.to_vec(), colour.stroke_width(3)))?;
        if colour == RINGKEEPER {
            area.draw(&Circle::new((x + 15, 48), 4, colour.filled()))?;
        } else {
            area.draw(&TriangleMarker::new((x + 15, 48), 5, colour.filled()))?;
        }
        area.draw(&Text::new(name.clone(), (x + 38, 41), text(14)))?;
    }
    Ok(())
}

pub(crate) fn text(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

/// From the power of ten below all values to the one above; values of zero do not count.
pub(crate) fn decades(values: impl Iterator<Item = f64>) -> Range<f64> {
    let positive = values.filter(|value| *value > 0.0);
    let (least, most) = positive
        .fold((f64::INFINITY, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
    if most == 0.0 {
        return 1.0..10.0;
    }
    let from = 10_f64.powf(least.log10().floor());
    from..10_f64.powf(most.log10().ceil()).max(from * 10.0)
}

/// `250`, `50 k`, `1 M`: short enough for an axis.
pub(crate) fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{} M", v / 1e6),
        v if v >= 1e3 => format!("{} k", v / 1e3),
        v => format!("{v}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::made_up;
    use super::*;

    #[test]
    fn every_shape_has_its_panel_and_every_picture_its_legend() {
        let comparison = made_up::comparison();
        let pictures = all(&comparison).expect("they can be drawn");
        assert_eq!(
            pictures.iter().map(|picture| picture.name).collect::<Vec<_>>(),
            ["throughput", "latency", "timeline", "rates"]
        );
        for picture in &pictures {
            assert!(picture.svg.contains("Ringkeeper 0.1.0"), "{}", picture.name);
            assert!(picture.svg.contains("Apache ZooKeeper 3.9.5"), "{}", picture.name);
        }
        for series in comparison.series() {
            for picture in &pictures[1..3] {
                assert!(picture.svg.contains(&series.shape.describe()), "{}", picture.name);
            }
        }
    }

    #[test]
    fn an_axis_holds_all_values_between_powers_of_ten() {
        assert_eq!(decades([0.0, 250.0, 4000.0].into_iter()), 100.0..10_000.0);
        assert_eq!(decades([100.0].into_iter()), 100.0..1000.0);
        assert_eq!(decades(std::iter::empty()), 1.0..10.0);
        assert_eq!([short(1e6), short(50_000.0), short(0.5)], ["1 M", "50 k", "0.5"]);
    }
}
