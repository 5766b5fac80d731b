"""The agent beside a real dish: what it notes, keeps, sends and obeys. Owns no socket, disk or clock."""
