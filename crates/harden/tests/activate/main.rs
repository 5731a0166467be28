//! Restarts and reloads of real engines, and the way back.

mod crash;
mod reload;
mod restart;
mod ship;
