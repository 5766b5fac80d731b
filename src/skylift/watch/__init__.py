"""What is ordinary, and what is not: samples and expectations in, verdicts out; no clock, socket or file."""
