//! Events on the wire (propagation wire 2.2).
