"""What a step of training costs, and how it scales with devices."""
