//! Latency curves: for each shape, which share of the answers came within how long.
//!
//! The lower axis is stretched towards the slowest answers, as HdrHistogram's own plots have it:
//! each nine of a percentile has the same width.
//!
//! Not here: the points of a curve (`curve`).

use plotters::prelude::*;

use super::super::curve::{self, Point};
use super::{AXIS, Area, Comparison, Drawn, GRID, RINGKEEPER, Series, ZOOKEEPER};
use super::{decades, panels, text};

pub(super) fn draw(comparison: &Comparison, svg: &mut String) -> Drawn {
    let all: Vec<&Series> = comparison.series().iter().collect();
    panels(comparison, "Latency by percentile, ms", &all, svg, panel)
}

fn panel(series: &Series, area: &Area<'_>) -> Drawn {
    let curves = [curve::of(&series.ringkeeper), curve::of(&series.zookeeper)];
    let points = || curves.iter().flatten();
    let ms = |point: &Point| point.us as f64 / 1000.0;
    let slowest = points().fold(100.0, |most: f64, point| most.max(point.one_of));
    let range = decades(points().map(ms));
    let mut chart = ChartBuilder::on(area)
        .caption(series.shape.describe(), text(15))
        .margin(10)
        .margin_right(24)
        .x_label_area_size(26)
        .y_label_area_size(52)
        .build_cartesian_2d(
            (1.0..slowest * 1.05).log_scale(),
            // A power of ten that is the very edge gets no label.
            (range.start * 0.99..range.end).log_scale(),
        )?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(AXIS)
        .label_style(text(12))
        .x_labels(7)
        .y_labels(5)
        .x_label_formatter(&|one_of| percent(*one_of))
        .y_label_formatter(&|ms| format!("{}", (ms * 1e6).round() / 1e6))
        .draw()?;
    let [ringkeeper, zookeeper] =
        curves.each_ref().map(|curve| curve.iter().map(|point| (point.one_of, ms(point))));
    chart.draw_series(DashedLineSeries::new(zookeeper, 7, 4, ZOOKEEPER.stroke_width(2)))?;
    chart.draw_series(LineSeries::new(ringkeeper, RINGKEEPER.stroke_width(2)))?;
    Ok(())
}

/// `99.9 %` where one of 1,000 answers took longer.
fn percent(one_of: f64) -> String {
    let share = 100.0 * (1.0 - 1.0 / one_of);
    let digits = (one_of.log10() - 2.0).ceil().max(0.0) as usize;
    format!("{share:.digits$} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_nine_is_a_factor_of_ten() {
        let labels = [1.0, 10.0, 100.0, 1000.0, 1e6].map(percent);
        assert_eq!(labels, ["0 %", "90 %", "99 %", "99.9 %", "99.9999 %"]);
    }
}
