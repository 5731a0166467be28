//! The only reader of the outside: engines, hosts and files turned into facts.
