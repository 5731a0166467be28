//! Several requests under way at once, with the results in the order of what was asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Requests under way at once for one kind; the engine's client bounds their sum by its connections.
const LANES: usize = 4;
/// Answers that wait for who works on them.
const WAITING: usize = 128;

/// Runs a few at a time and gives the results in the order of the items.
pub(super) async fn lanes<I, T, F, W>(items: Vec<I>, work: W) -> Vec<T>
where
    I: Send + 'static,
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
    W: Fn(I) -> F + Send + Sync + 'static,
{
    let count = items.len().min(LANES);
    let items = Arc::new(Items::new(items));
    let work = Arc::new(work);
    let mut set = JoinSet::new();
    for _ in 0..count {
        let (items, work) = (Arc::clone(&items), Arc::clone(&work));
        set.spawn(async move {
            let mut done = Vec::new();
            while let Some((at, item)) = items.next() {
                done.push((at, work(item).await));
            }
            done
        });
    }
    in_order(set).await
}

/// As [`lanes`] in two steps: what `fetch` gives waits for `work`, so that the next request is under way while its
/// answer is worked on.
pub(super) async fn relay<I, M, T, F, G, A, B>(items: Vec<I>, fetch: F, work: G) -> Vec<T>
where
    I: Send + 'static,
    M: Send + 'static,
    T: Send + 'static,
    A: Future<Output = M> + Send + 'static,
    B: Future<Output = T> + Send + 'static,
    F: Fn(I) -> A + Send + Sync + 'static,
    G: Fn(M) -> B + Send + Sync + 'static,
{
    let count = items.len().min(LANES);
    let items = Arc::new(Items::new(items));
    let (fetch, work) = (Arc::new(fetch), Arc::new(work));
    let (send, take) = mpsc::channel::<(usize, M)>(WAITING);
    let take = Arc::new(tokio::sync::Mutex::new(take));
    let mut set = JoinSet::new();
    for _ in 0..count {
        let (items, fetch, send) = (Arc::clone(&items), Arc::clone(&fetch), send.clone());
        set.spawn(async move {
            while let Some((at, item)) = items.next() {
                // Who takes ends only when all was sent.
                if send.send((at, fetch(item).await)).await.is_err() {
                    break;
                }
            }
            Vec::new()
        });
        let (take, work) = (Arc::clone(&take), Arc::clone(&work));
        set.spawn(async move {
            let mut done = Vec::new();
            loop {
                let next = take.lock().await.recv().await;
                let Some((at, fetched)) = next else { return done };
                done.push((at, work(fetched).await));
            }
        });
    }
    drop(send);
    in_order(set).await
}

async fn in_order<T: Send + 'static>(set: JoinSet<Vec<(usize, T)>>) -> Vec<T> {
    let mut out: Vec<(usize, T)> = set.join_all().await.into_iter().flatten().collect();
    out.sort_unstable_by_key(|(at, _)| *at);
    out.into_iter().map(|(_, value)| value).collect()
}

/// A list that several take from.
struct Items<I> {
    next: AtomicUsize,
    all: Vec<Mutex<Option<I>>>,
}

impl<I> Items<I> {
    fn new(items: Vec<I>) -> Self {
        Self { next: AtomicUsize::new(0), all: items.into_iter().map(|i| Mutex::new(Some(i))).collect() }
    }

    /// The next one with its place, until there is none.
    fn next(&self) -> Option<(usize, I)> {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        let item = self.all.get(at)?.lock().unwrap_or_else(PoisonError::into_inner).take();
        item.map(|item| (at, item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn results_come_in_the_order_of_the_items() {
        let late = |n: usize| async move {
            // The first ones take longest.
            tokio::time::sleep(std::time::Duration::from_millis(if n < 4 { 20 } else { 0 })).await;
            n
        };
        let all: Vec<usize> = (0..200).collect();
        assert_eq!(lanes(all.clone(), late).await, all);
        assert_eq!(relay(all.clone(), late, late).await, all);
        assert_eq!(relay(Vec::new(), late, late).await, Vec::<usize>::new());
    }
}
