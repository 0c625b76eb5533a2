//! What a take does about stock that moves while it is counted.
