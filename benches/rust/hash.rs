//! Hashing: what a job costs (a small value, its arguments, a record) and what data costs.

use std::hint::black_box;

use criterion::{criterion_group, criterion_main, Criterion, Throughput};
use redun_core::codec::Node;
use redun_core::hash::file::digest_file;
use redun_core::hash::hasher::Spool;
use redun_core::hash::structure::{digest_arguments, digest_structure};
use redun_core::hash::value::ValueEncoder;
use redun_core::hash::{digest_bytes, Scheme};

const HASH: &str = "b20c58737fb9e9fcf185a8f60620eabcbfa186cd";

fn per_job(c: &mut Criterion) {
    let mut encoder = ValueEncoder::new(Scheme::Blake3);
    c.bench_function("value/int", |b| {
        b.iter(|| {
            encoder.start();
            encoder.int(black_box(7));
            encoder.finish()
        });
    });
    c.bench_function("value/list of 1000 ints", |b| {
        b.iter(|| {
            encoder.start();
            encoder.list(1000);
            (0..1000).for_each(|i| encoder.int(i));
            encoder.finish()
        });
    });
    c.bench_function("value/set of 1000 ints", |b| {
        b.iter(|| {
            encoder.start();
            encoder.begin_set(false, 1000);
            for i in 0..1000 {
                encoder.int(i);
                encoder.end_item();
            }
            encoder.end_set();
            encoder.finish()
        });
    });
    for scheme in Scheme::ALL {
        let mut spool = Spool::new(scheme);
        c.bench_function(&format!("arguments/one/{scheme}"), |b| {
            b.iter(|| digest_arguments(&mut spool, black_box(&[HASH]), &mut []));
        });
        let text = |text: &str| Node::Bytes(text.as_bytes().to_vec());
        let children = Node::List(vec![text(HASH), text(HASH)]);
        let call = Node::List(vec![
            text("CallNode"),
            text(HASH),
            text(HASH),
            text(HASH),
            children,
        ]);
        c.bench_function(&format!("structure/call node/{scheme}"), |b| {
            b.iter(|| digest_structure(scheme, black_box(&call)));
        });
    }
}

fn data(c: &mut Criterion) {
    let mut group = c.benchmark_group("data");
    group.sample_size(10);
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, length) in [("4 KiB", 1 << 12), ("64 MiB", 64 << 20)] {
        let bytes = vec![7_u8; length];
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes).expect("written");
        group.throughput(Throughput::Bytes(length as u64));
        for scheme in Scheme::ALL {
            group.bench_function(format!("bytes/{name}/{scheme}"), |b| {
                b.iter(|| digest_bytes(scheme, black_box(&bytes)));
            });
            group.bench_function(format!("file/{name}/{scheme}"), |b| {
                b.iter(|| digest_file(scheme, &path).expect("readable"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, per_job, data);
criterion_main!(benches);
