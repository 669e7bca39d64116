"""Cart-pole and pendulum, with physics drawn for each task."""
