//! The comparison as a picture: throughput of both systems, shape by shape.
//!
//! Not here: the figures (`sample`).

use plotters::coord::ranged1d::{IntoSegmentedCoord, SegmentValue};
use plotters::prelude::*;

use super::super::sample::{Sample, Spread};
use super::{AXIS, Comparison, Drawn, GRID, HEADER, RINGKEEPER, Series, WIDTH, ZOOKEEPER};
use super::{head, short, text};

const HEIGHT: u32 = 460;

/// The axis begins here: fewer operations a second are no matter.
const LEAST: f64 = 100.0;

/// Medians as bars on a logarithmic axis, the ratio of each shape above.
pub(super) fn draw(comparison: &Comparison, svg: &mut String) -> Drawn {
    let root = SVGBackend::with_string(svg, (WIDTH, HEIGHT)).into_drawing_area();
    root.fill(&WHITE)?;
    let (header, body) = root.split_vertically(HEADER);
    head(comparison, "Operations a second", &header)?;
    // An open loop asks both the same: nothing to see.
    let all: Vec<&Series> =
        comparison.series().iter().filter(|series| series.shape.rate.is_none()).collect();
    let most = all.iter().map(|series| medians(series).0.max(medians(series).1));
    let most = most.fold(LEAST, f64::max) * 4.0;
    // The range includes its end.
    let slots = (all.len() * 2).saturating_sub(1);
    let mut chart = ChartBuilder::on(&body)
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(60)
        .build_cartesian_2d((0..slots).into_segmented(), (LEAST..most).log_scale())?;
    let label = |at: &SegmentValue<usize>| match at {
        SegmentValue::CenterOf(slot) if slot % 2 == 0 => {
            all.get(slot / 2).map_or_else(String::new, |series| series.shape.to_string())
        }
        _ => String::new(),
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(AXIS)
        .label_style(text(12))
        .x_labels(all.len() * 2)
        .x_label_formatter(&label)
        .y_label_formatter(&|value| short(*value))
        .draw()?;
    for (index, series) in all.iter().enumerate() {
        let (ringkeeper, zookeeper, ratio) = medians(series);
        let bar = |slot: usize, height: f64, colour: RGBColor| {
            let (left, right) = (SegmentValue::Exact(slot), SegmentValue::Exact(slot + 1));
            let mut bar = Rectangle::new([(left, LEAST), (right, height)], colour.filled());
            bar.set_margin(0, 0, 6, 6);
            bar
        };
        chart.draw_series([
            bar(index * 2, ringkeeper, RINGKEEPER),
            bar(index * 2 + 1, zookeeper, ZOOKEEPER),
        ])?;
        let above = (SegmentValue::Exact(index * 2), ringkeeper.max(zookeeper) * 1.5);
        chart.draw_series([Text::new(format!("{ratio:.1} x"), above, text(16))])?;
    }
    root.present()?;
    Ok(())
}

/// Ringkeeper's, ZooKeeper's, and the ratio's.
fn medians(series: &Series) -> (f64, f64, f64) {
    let median =
        |samples: &[Sample]| Spread::of(samples.iter().map(|sample| sample.load.per_second)).median;
    let pairs = series.ringkeeper.iter().zip(&series.zookeeper);
    let ratio = Spread::of(pairs.map(|(a, b)| a.load.per_second / b.load.per_second.max(1.0)));
    (median(&series.ringkeeper), median(&series.zookeeper), ratio.median)
}
