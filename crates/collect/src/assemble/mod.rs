//! Everything that was read, put together as one target.

mod clients;
mod daemon;
mod files;
mod host;
mod view;
