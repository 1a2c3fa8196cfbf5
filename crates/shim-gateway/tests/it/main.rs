//! The data plane in a simulated network and virtual time.

mod faults;
mod lab;
mod lane;
mod swaps;
