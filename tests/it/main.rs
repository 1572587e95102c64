//! Skeleton.

