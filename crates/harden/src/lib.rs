//! The only writer: plans, their application and the way back.
