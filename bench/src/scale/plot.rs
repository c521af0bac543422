//! A curve as a picture: throughput, p99, and CPU an operation, side by side.
//!
//! Sizes stand at equal distances, each under its own name: they grow by factors, and nothing was
//! measured between them.
//!
//! Not here: the figures (`report`), how a picture looks (`crate::compare::plot`).

use plotters::prelude::*;

use super::{Curve, Measured, Scale};
use crate::compare::plot::{
    AXIS, Area, Drawn, GRID, HEADER, Picture, PlotError, RINGKEEPER, WIDTH, ZOOKEEPER, decades,
    legend, short, text,
};

const PANEL_HEIGHT: u32 = 320;

type Figure = (&'static str, fn(&Measured) -> f64);

const FIGURES: [Figure; 3] = [
    ("operations a second", |one| one.sample.load.per_second),
    ("p99, ms", |one| one.sample.load.latency.p99_us as f64 / 1000.0),
    ("CPU-µs an operation, all servers", |one| one.sample.cpu_us_per_operation),
];

/// The sizes of a curve, and each system's values in their order.
struct Lines {
    sizes: Vec<usize>,
    ringkeeper: Vec<f64>,
    zookeeper: Vec<f64>,
}

/// A picture for each curve that was measured.
pub(super) fn all(scale: &Scale) -> Result<Vec<Picture>, PlotError> {
    let drawn = |curve: Curve| {
        Picture::drawn(curve.picture(), curve.caption(), |svg| draw(scale, curve, svg))
    };
    scale.curves().into_iter().map(drawn).collect()
}

fn draw(scale: &Scale, curve: Curve, svg: &mut String) -> Drawn {
    let root = SVGBackend::with_string(svg, (WIDTH, HEADER + PANEL_HEIGHT)).into_drawing_area();
    root.fill(&WHITE)?;
    let (header, body) = root.split_vertically(HEADER);
    let title = format!("{} by {}", scale.mix().describe(), curve.name());
    legend(scale.systems().iter(), &title, &header)?;
    for (area, (title, figure)) in body.split_evenly((1, FIGURES.len())).iter().zip(FIGURES) {
        let of = |system| scale.of(curve, system);
        let lines = Lines {
            sizes: of("ringkeeper").iter().map(|one| one.point.size).collect(),
            ringkeeper: of("ringkeeper").into_iter().map(figure).collect(),
            zookeeper: of("zookeeper").into_iter().map(figure).collect(),
        };
        panel(area, title, curve, &lines)?;
    }
    root.present()?;
    Ok(())
}

fn panel(area: &Area<'_>, title: &str, curve: Curve, lines: &Lines) -> Drawn {
    let Lines { sizes, ringkeeper, zookeeper } = lines;
    let range = decades(ringkeeper.iter().chain(zookeeper).copied());
    let least = range.start;
    let last = sizes.len().saturating_sub(1) as f64;
    let name_of = |at: &f64| {
        let is_whole = (at - at.round()).abs() < 1e-6;
        let size = sizes.get(at.round() as usize).filter(|_| is_whole);
        size.map_or_else(String::new, |size| curve.say(*size))
    };
    let mut chart = ChartBuilder::on(area)
        .caption(title, text(15))
        .margin(10)
        .margin_right(20)
        .x_label_area_size(44)
        .y_label_area_size(56)
        .build_cartesian_2d(-0.25..last + 0.25, range.log_scale())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(AXIS)
        .label_style(text(11))
        .axis_desc_style(text(12))
        .x_desc(curve.axis())
        .x_labels(sizes.len())
        .y_labels(6)
        .x_label_formatter(&name_of)
        .y_label_formatter(&|value| short(*value))
        .draw()?;
    let at = |values: &[f64]| -> Vec<(f64, f64)> {
        (0_u32..).map(f64::from).zip(values.iter().map(|value| value.max(least))).collect()
    };
    chart.draw_series(DashedLineSeries::new(at(zookeeper), 7, 4, ZOOKEEPER.stroke_width(2)))?;
    let mark = |point| TriangleMarker::new(point, 5, ZOOKEEPER.filled());
    chart.draw_series(at(zookeeper).into_iter().map(mark))?;
    chart.draw_series(LineSeries::new(at(ringkeeper), RINGKEEPER.stroke_width(2)))?;
    let mark = |point| Circle::new(point, 4, RINGKEEPER.filled());
    chart.draw_series(at(ringkeeper).into_iter().map(mark))?;
    Ok(())
}
