//! Complete stores in memory: for the embedded mesh, for tests and for the simulation.
