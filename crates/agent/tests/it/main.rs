//! The agent's engines, driven as the agent drives them.

mod kohya;
