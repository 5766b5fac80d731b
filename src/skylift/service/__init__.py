"""What people asked for, what was decided. Rooms are independent of one another; only permission sees all."""
