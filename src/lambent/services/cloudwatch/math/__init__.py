"""Metric math: expressions over time series. Plain: no store, no requests."""
