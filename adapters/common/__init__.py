"""What more than one platform needs: Markdown, cleaning and splitting of texts."""
