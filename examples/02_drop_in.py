"""Use it in LlamaIndex code as it is: reader, node parser and embedding model, with any vector store."""

from __future__ import annotations

from tempfile import TemporaryDirectory

from llama_index.core import VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from service import HANDBOOK, embed_model

from llama_index_gemini_mm import MediaNodeParser, MediaReader


def main() -> None:
    """The same folder through an index and through an ingestion pipeline."""
    with TemporaryDirectory() as storage, embed_model(storage) as model:
        documents = MediaReader(media_store=model.media_store).load_data(HANDBOOK)
        parser = MediaNodeParser(media_store=model.media_store)

        index = VectorStoreIndex.from_documents(documents, transformations=[parser], embed_model=model)
        for found in index.as_retriever(similarity_top_k=3).retrieve("how to replace the drive belt"):
            print(f"{found.score:.3f} {found.node.metadata['modality']:8} {found.node.metadata['file_name']}")

        nodes = IngestionPipeline(transformations=[parser, model]).run(documents=documents)
        print(f"the pipeline made {len(nodes)} nodes with vectors of {len(nodes[0].embedding or [])} numbers")
        print(f"used: {model.usage.requests} requests, {model.usage.total_tokens} tokens, ${model.usage.usd:.4f}")


if __name__ == "__main__":
    main()
