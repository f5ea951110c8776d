"""One module per platform: SDK events become common events, replies become SDK calls."""
