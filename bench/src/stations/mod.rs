//! The stations of the road, each by itself, as prepared workloads.
//!
//! A station is set up once and then runs again and again; criterion (`bench/benches`) and the
//! instruction counter (`perf/instructions`) run the same code. What a run uses up (paths still to
//! be made, txns still to be applied) is made anew between stretches, outside what is measured.
//!
//! - `request`: what a client sends is decoded, what it is told is encoded.
//! - `prepare`: a request becomes a txn, and the txn a proposal.
//! - `log`: batches without a disk, on a real one, and read back.
//! - `agree`: votes and acknowledgements.
//! - `database`: txns applied, watches fired.
//! - `tree`: znodes found and made, few and many of them, and snapshots of them.
//!
//! Not here: the stations together (`road`), sockets (`load`).

mod agree;
mod database;
mod log;
mod prepare;
mod request;
mod tree;

/// Where a station's own files go, if it has any; it removes them.
const DATA: &str = "/var/tmp";

/// A station that is set up.
pub trait Workload {
    /// Makes anew what a stretch used up.
    fn renew(&mut self) {}

    /// The station, once.
    fn once(&mut self);
}

impl<F: FnMut()> Workload for F {
    fn once(&mut self) {
        self();
    }
}

/// A station of the road.
#[derive(Clone, Copy)]
pub struct Station {
    /// What criterion puts together.
    pub group: &'static str,
    /// Its name, the group before it.
    pub name: &'static str,
    /// How often it runs before it must be made anew.
    pub stretch: u64,
    /// How often it runs to have its instructions counted; none where it asks the kernel, or where
    /// a run is too long.
    pub counted: Option<u64>,
    pub prepare: fn() -> Box<dyn Workload>,
}

impl Station {
    /// One that uses nothing up.
    const fn lasting(
        group: &'static str,
        name: &'static str,
        prepare: fn() -> Box<dyn Workload>,
    ) -> Self {
        Self { group, name, stretch: u64::MAX, counted: Some(10_000), prepare }
    }
}

/// Every station, in the order of the road.
pub fn all() -> Vec<Station> {
    let groups: [&[Station]; 6] = [
        &request::STATIONS,
        &prepare::STATIONS,
        &log::STATIONS,
        &agree::STATIONS,
        &database::STATIONS,
        &tree::STATIONS,
    ];
    groups.concat()
}

/// Runs a prepared station `times` times, in stretches. `measure` is given each stretch to run.
pub fn run(
    station: &Station,
    workload: &mut dyn Workload,
    times: u64,
    mut measure: impl FnMut(&mut dyn Workload, u64),
) {
    let mut left = times;
    while left > 0 {
        let stretch = left.min(station.stretch);
        workload.renew();
        measure(workload, stretch);
        left -= stretch;
    }
}

/// What is counted and timed, and nothing else is: a profiler finds it by its name.
#[inline(never)]
pub fn stationed(workload: &mut dyn Workload, times: u64) {
    for _ in 0..times {
        workload.once();
    }
}

/// Which station, how often.
#[derive(Clone, Debug, clap::Args)]
pub struct StationsOptions {
    /// Only this one, by its name.
    #[arg(long, value_name = "NAME")]
    pub only: Option<String>,
    /// How often each runs [default: as often as its instructions are counted over].
    #[arg(long)]
    pub times: Option<u64>,
    /// Tell the names of those whose instructions are counted, with how often they run for that.
    #[arg(long)]
    pub list: bool,
}

/// Runs stations untimed, for a run under callgrind, which counts. The text is for the reader.
///
/// # Errors
/// In words: no station of that name.
pub fn execute(options: &StationsOptions) -> Result<String, String> {
    let all = all();
    if options.list {
        let counted = all.iter().filter_map(|s| Some(format!("{} {}\n", s.name, s.counted?)));
        return Ok(counted.collect());
    }
    let is_wanted = |station: &&Station| match &options.only {
        Some(name) => station.name == name,
        None => station.counted.is_some(),
    };
    let mut text = String::new();
    for station in all.iter().filter(is_wanted) {
        let times = options.times.or(station.counted).unwrap_or(1);
        let mut workload = (station.prepare)();
        run(station, &mut *workload, times, stationed as fn(&mut dyn Workload, u64));
        text.push_str(&format!("{} ran {times} times\n", station.name));
    }
    if text.is_empty() {
        let names: Vec<&str> = all.iter().map(|station| station.name).collect();
        return Err(format!("no station of that name; there are: {}", names.join(", ")));
    }
    Ok(text)
}
