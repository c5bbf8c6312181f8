//! Work on many items, on every core.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::OnceLock;
use std::thread;

/// Cores this process may use. Asking the system reads files, so it is done once.
pub(super) fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, usize::from))
}

/// `work` of every item, in their order. Threads are started only where each has `least` items to
/// work on; each has a state of its own, made by `start`.
pub(super) fn spread<T, S, R>(
    items: &[T],
    least: usize,
    start: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) -> R + Sync,
) -> Vec<R>
where
    T: Sync,
    R: Send,
{
    let workers = cores().min(items.len() / least.max(1)).max(1);
    if workers == 1 {
        let mut state = start();
        return items.iter().map(|item| work(&mut state, item)).collect();
    }
    // Small portions even out items of different cost, but each costs a visit to the counter.
    let portion = (items.len() / (workers * 16)).clamp(1, 64);
    let next = AtomicUsize::new(0);
    let run = || {
        let mut state = start();
        let mut done = Vec::new();
        loop {
            let from = next.fetch_add(portion, Ordering::Relaxed);
            if from >= items.len() {
                return done;
            }
            let taken = &items[from..items.len().min(from + portion)];
            let results: Vec<R> = taken.iter().map(|item| work(&mut state, item)).collect();
            done.push((from, results));
        }
    };
    let mut all = thread::scope(|scope| {
        // Where no more threads may be started, those there are do the work.
        let helpers: Vec<_> = (1..workers)
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, run).ok())
            .collect();
        let mut all = run();
        for helper in helpers {
            all.extend(helper.join().expect("work on one item does not panic"));
        }
        all
    });
    all.sort_unstable_by_key(|(from, _)| *from);
    all.into_iter().flat_map(|(_, results)| results).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept() {
        for count in [0, 1, 7, 1000, 4321] {
            let items: Vec<usize> = (0..count).collect();
            let doubled = spread(&items, 1, || (), |(), item| item * 2);
            assert_eq!(
                doubled,
                items.iter().map(|item| item * 2).collect::<Vec<_>>()
            );
        }
    }
}
