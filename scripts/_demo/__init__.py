"""What only the demo needs: its actors, its workload and its cheats. None of it is product code."""
