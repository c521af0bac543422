//! Latency by offered rate: both systems at the same rates, each as far as it keeps up.
//!
//! Not here: the runs (`crate::compare::rates`).

use plotters::prelude::*;

use super::super::rates::{Ladder, Rates};
use super::{AXIS, Area, Comparison, Drawn, GRID, HEADER, RINGKEEPER, WIDTH, ZOOKEEPER};
use super::{Sample, decades, head, short, text};

const PANEL_HEIGHT: u32 = 320;

type Figure = (&'static str, fn(&Sample) -> u64);

const FIGURES: [Figure; 3] = [
    ("p50, ms", |sample| sample.load.latency.p50_us),
    ("p99, ms", |sample| sample.load.latency.p99_us),
    ("p99.9, ms", |sample| sample.load.latency.p999_us),
];

pub(super) fn draw(comparison: &Comparison, rates: &Rates, svg: &mut String) -> Drawn {
    let root = SVGBackend::with_string(svg, (WIDTH, HEADER + PANEL_HEIGHT)).into_drawing_area();
    root.fill(&WHITE)?;
    let (header, body) = root.split_vertically(HEADER);
    head(comparison, "Latency by offered rate, setData 100 B, open loop", &header)?;
    for (area, figure) in body.split_evenly((1, FIGURES.len())).iter().zip(FIGURES) {
        panel(area, figure, rates)?;
    }
    root.present()?;
    Ok(())
}

fn panel(area: &Area<'_>, (title, us): Figure, rates: &Rates) -> Drawn {
    let line = |ladder: &Ladder| -> Vec<(f64, f64)> {
        ladder.kept_up().map(|(rate, sample)| (rate, us(sample) as f64 / 1000.0)).collect()
    };
    let (ringkeeper, zookeeper) = (line(&rates.ringkeeper), line(&rates.zookeeper));
    let all = || ringkeeper.iter().chain(&zookeeper);
    let x = decades(all().map(|point| point.0));
    let y = decades(all().map(|point| point.1));
    let mut chart = ChartBuilder::on(area)
        .caption(title, text(15))
        .margin(10)
        .margin_right(20)
        .x_label_area_size(44)
        .y_label_area_size(52)
        .build_cartesian_2d(x.log_scale(), y.log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(AXIS)
        .label_style(text(12))
        .axis_desc_style(text(12))
        .x_desc("requests a second")
        .x_labels(5)
        .y_labels(5)
        .x_label_formatter(&|rate| short(*rate))
        .y_label_formatter(&|ms| short(*ms))
        .draw()?;
    let dashed = DashedLineSeries::new(zookeeper.clone(), 7, 4, ZOOKEEPER.stroke_width(2));
    chart.draw_series(dashed)?;
    let mark = |point| TriangleMarker::new(point, 5, ZOOKEEPER.filled());
    chart.draw_series(zookeeper.into_iter().map(mark))?;
    chart.draw_series(LineSeries::new(ringkeeper.clone(), RINGKEEPER.stroke_width(2)))?;
    let mark = |point| Circle::new(point, 4, RINGKEEPER.filled());
    chart.draw_series(ringkeeper.into_iter().map(mark))?;
    Ok(())
}
