"""What samplers are judged by: targets with exact answers, estimates from samples, and checks that share no mask."""
