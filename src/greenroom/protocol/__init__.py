"""The wire protocol: typed messages of both directions, the codec, and schemas made from them."""
