"""One network, one optimizer, a number of steps; and the seeds they are drawn from."""
