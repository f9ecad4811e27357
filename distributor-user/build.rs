//! Embeds the built eBPF object when it is there.
//!
//! Nothing is built here: editors, `clippy` and unit tests work without any
//! eBPF toolchain. Without the object, opening the data plane fails and says
//! what to run.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Names another object than the one that `cargo xtask build-ebpf` makes.
const OBJECT_VARIABLE: &str = "DISTRIBUTOR_OBJECT";

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={OBJECT_VARIABLE}");
    let object = env::var_os(OBJECT_VARIABLE).map_or_else(built_object, |path| Ok(path.into()))?;
    let copy = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let copy = copy.join("distributor.bpf");
    if object.is_file() {
        println!("cargo:rerun-if-changed={}", object.display());
        fs::copy(&object, copy)?;
    } else {
        fs::write(copy, [])?;
    }
    Ok(())
}

/// Where the object is, or will be.
fn built_object() -> io::Result<PathBuf> {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?;
    let directory = Path::new(&manifest).join("../target/bpf/bpfel-unknown-none/bpf");
    // A file that is not there would make Cargo run this again every time; a directory makes it
    // run again once something appears in it.
    fs::create_dir_all(&directory)?;
    let object = directory.join("distributor");
    if !object.is_file() {
        println!("cargo:rerun-if-changed={}", directory.display());
    }
    Ok(object)
}
