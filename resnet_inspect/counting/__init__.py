"""What a network costs, in exact integers; conventions; published figures."""
