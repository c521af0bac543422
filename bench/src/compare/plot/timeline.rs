//! Throughput timelines: for each shape, the operations of every measured second, run after run.
//!
//! A median hides a stall; a line by second shows it.
//!
//! Not here: the counting (`crate::load`).

use plotters::prelude::*;

use super::super::Sample;
use super::{AXIS, Area, Comparison, Drawn, GRID, RINGKEEPER, Series, ZOOKEEPER};
use super::{decades, panels, short, text};

pub(super) fn draw(comparison: &Comparison, svg: &mut String) -> Drawn {
    let all: Vec<&Series> = comparison.series().iter().collect();
    panels(comparison, "Operations a second, by second", &all, svg, panel)
}

/// The seconds of each run, in the middle of each.
fn runs(samples: &[Sample]) -> Vec<Vec<(f64, f64)>> {
    let mut before = 0.0;
    let run = |sample: &Sample| {
        let seconds = sample.load.timeline.iter().enumerate();
        let points = seconds.map(|(n, second)| (before + n as f64 + 0.5, second.operations as f64));
        let points: Vec<_> = points.collect();
        before += points.len() as f64;
        points
    };
    samples.iter().map(run).collect()
}

fn panel(series: &Series, area: &Area<'_>) -> Drawn {
    let (ringkeeper, zookeeper) = (runs(&series.ringkeeper), runs(&series.zookeeper));
    let all = || ringkeeper.iter().chain(&zookeeper).flatten();
    let seconds = all().fold(1.0, |most: f64, point| most.max(point.0 + 0.5));
    let range = decades(all().map(|point| point.1));
    let (least, most) = (range.start, range.end);
    let mut chart = ChartBuilder::on(area)
        .caption(series.shape.describe(), text(15))
        .margin(10)
        .margin_right(24)
        .x_label_area_size(26)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..seconds, range.log_scale())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(AXIS)
        .label_style(text(12))
        .x_labels(6)
        .y_labels(5)
        .x_label_formatter(&|second| format!("{second} s"))
        .y_label_formatter(&|operations| short(*operations))
        .draw()?;
    for border in ringkeeper.iter().skip(1).filter_map(|run| run.first()) {
        let line = [(border.0 - 0.5, least), (border.0 - 0.5, most)];
        chart.draw_series(LineSeries::new(line, GRID))?;
    }
    // A logarithmic axis has no zero: a second of nothing lies on its edge.
    let shown = |run: &[(f64, f64)]| -> Vec<(f64, f64)> {
        run.iter().map(|(second, operations)| (*second, operations.max(least))).collect()
    };
    for run in &zookeeper {
        let line = ZOOKEEPER.stroke_width(2);
        chart.draw_series(DashedLineSeries::new(shown(run), 7, 4, line))?;
        let mark = |point| TriangleMarker::new(point, 6, ZOOKEEPER.filled());
        chart.draw_series(shown(run).into_iter().map(mark))?;
    }
    for run in &ringkeeper {
        chart.draw_series(LineSeries::new(shown(run), RINGKEEPER.stroke_width(2)))?;
        let mark = |point| Circle::new(point, 3, RINGKEEPER.filled());
        chart.draw_series(shown(run).into_iter().map(mark))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::made_up;
    use super::*;

    #[test]
    fn runs_follow_each_other() {
        let comparison = made_up::comparison();
        let runs = runs(&comparison.series()[0].ringkeeper);
        let seconds: Vec<f64> = runs.iter().flatten().map(|point| point.0).collect();
        assert_eq!(seconds, [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]);
    }
}
