//! One curve as a picture: throughput above, p99 in the middle, CPU an operation below.
//!
//! Not here: the figures (`report`).

use std::path::Path;

use plotters::prelude::*;

use super::{Curve, Measured, Scale};

const WIDTH: u32 = 900;
const HEIGHT: u32 = 900;

const LINES: [(&str, RGBColor); 2] =
    [("ringkeeper", RGBColor(0x1f, 0x77, 0xb4)), ("zookeeper", RGBColor(0xd6, 0x8a, 0x3a))];

type Drawn = Result<(), Box<dyn std::error::Error>>;
type Figure = (&'static str, fn(&Measured) -> f64);

const FIGURES: [Figure; 3] = [
    ("operations a second", |one| one.sample.load.per_second),
    ("p99, us", |one| one.sample.load.latency.p99_us as f64),
    ("CPU-us an operation, all servers", |one| one.sample.cpu_us_per_operation),
];

/// Writes the picture; all axes are logarithmic, size 0 stands at 1.
pub(super) fn draw(scale: &Scale, curve: Curve, file: &Path) -> Drawn {
    let root = SVGBackend::new(file, (WIDTH, HEIGHT)).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, (title, value)) in root.split_evenly((FIGURES.len(), 1)).iter().zip(FIGURES) {
        let lines = LINES.map(|(system, colour)| {
            let points = scale.of(curve, system).into_iter();
            let points = points.map(|one| (one.point.size.max(1) as f64, value(one).max(0.01)));
            (system, colour, points.collect::<Vec<_>>())
        });
        let all = || lines.iter().flat_map(|(.., points)| points);
        let x = range(all().map(|point| point.0));
        let y = range(all().map(|point| point.1));
        let mut chart = ChartBuilder::on(area)
            .caption(format!("{title}, by {}", curve.name()), ("sans-serif", 16))
            .margin(10)
            .x_label_area_size(28)
            .y_label_area_size(80)
            .build_cartesian_2d((x.0..x.1).log_scale(), (y.0..y.1).log_scale())?;
        chart.configure_mesh().draw()?;
        for (system, colour, points) in &lines {
            if points.is_empty() {
                continue;
            }
            let style = colour.stroke_width(2);
            let line = PathElement::new(points.clone(), style);
            let legend = move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style);
            chart.draw_series([line])?.label(*system).legend(legend);
            chart.draw_series(points.iter().map(|at| Circle::new(*at, 3, colour.filled())))?;
        }
        chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
    }
    root.present()?;
    Ok(())
}

/// A little more than what the values span.
fn range(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let least = values.clone().fold(f64::MAX, f64::min);
    let most = values.fold(0.01, f64::max);
    (least / 1.3, most * 1.3)
}
