"""Models behind an API in OpenAI's shapes: asked for answers, and tuned by their provider."""
