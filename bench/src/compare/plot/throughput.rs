//! The comparison as a picture: throughput of both systems, shape by shape.
//!
//! Not here: the figures (`sample`).

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::super::sample::{Sample, Spread};
use super::{AXIS, Comparison, Drawn, GRID, HEADER, RINGKEEPER, Series, WIDTH, ZOOKEEPER};
use super::{head, short, text};

const FOOT: u32 = 50;
const ROW_HEIGHT: u32 = 46;
const NAMES_WIDTH: u32 = 290;

/// The axis begins here: fewer operations a second are no matter.
const LEAST: f64 = 100.0;

/// Medians as bars on a logarithmic axis, a pair of bars a shape, the ratio of each beside.
pub(super) fn draw(comparison: &Comparison, svg: &mut String) -> Drawn {
    // An open loop asks both the same: nothing to see.
    let all: Vec<&Series> =
        comparison.series().iter().filter(|series| series.shape.rate.is_none()).collect();
    let height = HEADER + FOOT + ROW_HEIGHT * u32::try_from(all.len())?;
    let root = SVGBackend::with_string(svg, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let (header, body) = root.split_vertically(HEADER);
    head(comparison, "Operations a second", &header)?;
    let most = all.iter().map(|series| medians(series).0.max(medians(series).1));
    // Room for the words beside the longest bar.
    let most = most.fold(LEAST, f64::max) * 8.0;
    let rows = all.len() as f64;
    let mut chart = ChartBuilder::on(&body)
        .margin(8)
        .margin_right(24)
        .x_label_area_size(30)
        .y_label_area_size(NAMES_WIDTH)
        .build_cartesian_2d((LEAST..most).log_scale(), 0.0..rows.max(1.0))?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(AXIS)
        .label_style(text(12))
        .y_labels(0)
        .x_label_formatter(&|value| short(*value))
        .draw()?;
    // Height counts upwards, and the first shape stands on top.
    for (index, series) in (1_u32..).zip(&all) {
        let floor = rows - f64::from(index);
        let (ringkeeper, zookeeper, ratio) = medians(series);
        let bar = |from: f64, to: f64, length: f64, colour: RGBColor| {
            Rectangle::new([(LEAST, floor + from), (length, floor + to)], colour.filled())
        };
        chart.draw_series([
            bar(0.5, 0.86, ringkeeper, RINGKEEPER),
            bar(0.14, 0.5, zookeeper, ZOOKEEPER),
        ])?;
        let (_, middle) = chart.backend_coord(&(LEAST, floor + 0.5));
        let (end, _) = chart.backend_coord(&(ringkeeper.max(zookeeper), floor + 0.5));
        let centred = |horizontal| text(14).pos(Pos::new(horizontal, VPos::Center));
        let words = format!("{ratio:.1} x");
        root.draw(&Text::new(words, (end + 10, middle), centred(HPos::Left)))?;
        let before = (NAMES_WIDTH as i32, middle);
        root.draw(&Text::new(series.shape.describe(), before, centred(HPos::Right)))?;
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
