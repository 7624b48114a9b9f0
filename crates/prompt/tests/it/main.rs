//! Damaged prompts.

mod fuzz;
