//! `redun._core`: the list of what Python sees. Each file beside this one converts, calls the core
//! and maps errors; it decides nothing.

mod codec;
mod convert;
mod errors;
mod hash;
mod nested;
mod sched;
mod sync;
mod text;

/// The core of redun: hashing, encoding, scheduling, planning transfers.
#[pyo3::pymodule(name = "_core", gil_used = false)]
mod module {
    use pyo3::prelude::*;
    use pyo3::types::PyTuple;

    #[pymodule_export]
    use super::codec::{bdecode, bencode, hash_struct, hash_structs};
    #[pymodule_export]
    use super::errors::CoreError;
    #[pymodule_export]
    use super::hash::{
        get_scheme, hash_arguments, hash_bytes, hash_file, hash_files, hash_tag_bytes, hash_values,
        list_tree, quick_hashes, set_scheme, PyHash,
    };
    #[pymodule_export]
    use super::nested::{nested_leaves, nested_map};
    #[pymodule_export]
    use super::sched::PyMachine;
    #[pymodule_export]
    use super::sync::PySyncPlanner;
    #[pymodule_export]
    use super::text::json_strings;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let names = crate::hash::Scheme::ALL.map(crate::hash::Scheme::name);
        module.add("SCHEMES", PyTuple::new(module.py(), names)?)?;
        super::errors::register(module)
    }
}
