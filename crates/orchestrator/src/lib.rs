//! Job life cycle, scheduling, reconcilers and providers.
