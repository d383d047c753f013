"""What can be measured of a model, each figure with its uncertainty and its protocol: `likelihood` in nats and bits/dim."""
