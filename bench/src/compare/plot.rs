//! The comparison as a picture: throughput of both systems, shape by shape.
//!
//! Not here: the figures (`sample`), the table (`report`).

use std::path::Path;

use plotters::coord::ranged1d::{IntoSegmentedCoord, SegmentValue};
use plotters::prelude::*;

use super::sample::{Sample, Spread};
use super::{Comparison, Series};

const WIDTH: u32 = 1100;
const HEIGHT: u32 = 460;

const RINGKEEPER: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const ZOOKEEPER: RGBColor = RGBColor(0xd6, 0x8a, 0x3a);

/// The axis begins here: fewer operations a second are no matter.
const LEAST: f64 = 100.0;

type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Writes `throughput.svg`: medians as bars on a logarithmic axis, the ratio of each shape above.
pub(super) fn throughput(comparison: &Comparison, folder: &Path) -> Drawn {
    let file = folder.join("throughput.svg");
    let root = SVGBackend::new(&file, (WIDTH, HEIGHT)).into_drawing_area();
    root.fill(&WHITE)?;
    // An open loop asks both the same: nothing to see.
    let all: Vec<&Series> =
        comparison.series().iter().filter(|series| series.shape.rate.is_none()).collect();
    let most = all.iter().map(|series| medians(series).0.max(medians(series).1));
    let most = most.fold(LEAST, f64::max) * 4.0;
    // The range includes its end.
    let slots = (all.len() * 2).saturating_sub(1);
    let mut chart = ChartBuilder::on(&root)
        .caption("operations a second", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(80)
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
        .x_labels(all.len() * 2)
        .x_label_formatter(&label)
        .y_label_formatter(&|value| format!("{value:.0}"))
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
        chart.draw_series([Text::new(format!("{ratio:.1} x"), above, ("sans-serif", 16))])?;
    }
    let legend = [(comparison.names().0, RINGKEEPER), (comparison.names().1, ZOOKEEPER)];
    for (line, (name, colour)) in (0_i32..).zip(legend) {
        let (x, y) = (110, 12 + line * 18);
        root.draw(&Rectangle::new([(x, y), (x + 12, y + 12)], colour.filled()))?;
        root.draw(&Text::new(name.to_owned(), (x + 18, y), ("sans-serif", 13)))?;
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
