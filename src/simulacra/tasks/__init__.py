"""Step 10, rooms: one per physics task; each uses the floors below, none imports another."""
