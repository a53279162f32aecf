"""What docker-stub runs: a folder of answers in, HTTP replies out. No part of the pair."""
