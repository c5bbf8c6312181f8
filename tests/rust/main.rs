//! One test binary for the whole crate; every module beside this file is listed here.

mod codec;
mod file;
mod sched_edges;
mod sched_games;
mod sched_kit;
mod sched_model;
mod sched_rules;
mod sched_scale;
mod structure;
mod sync_planner;
mod sync_repo;
mod tree;
mod value;

#[test]
fn every_file_is_listed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rust");
    let listing = include_str!("main.rs");
    let mut found = 0;
    for entry in std::fs::read_dir(folder).expect("the folder of this file") {
        let name = entry.expect("a directory entry").file_name();
        let name = name.to_string_lossy();
        if let Some(module) = name.strip_suffix(".rs").filter(|name| *name != "main") {
            assert!(
                listing.contains(&format!("\nmod {module};")),
                "tests/rust/{name} is not listed in main.rs"
            );
            found += 1;
        }
    }
    assert!(found > 0, "no test modules in {folder}");
}
