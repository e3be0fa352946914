"""What people write first: pages, a splitter, an embedding model, a vector store. Prints the CPU time that it took.

`python langchain_chroma_script.py EMBEDDINGS_URL FOLDER_OF_PAGES STORE_FOLDER`, with langchain-chroma, langchain-openai and
langchain-text-splitters installed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

began = time.monotonic(), time.process_time()

from langchain_chroma import Chroma  # noqa: E402
from langchain_openai import OpenAIEmbeddings  # noqa: E402
from langchain_text_splitters import RecursiveCharacterTextSplitter  # noqa: E402

imported = time.process_time()
url, pages, folder = sys.argv[1:]
model = OpenAIEmbeddings(
    model="text-embedding-3-small", base_url=f"{url}/v1", api_key="sk-test", check_embedding_ctx_length=False, chunk_size=128
)
store = Chroma("pages", model, persist_directory=folder)
splitter = RecursiveCharacterTextSplitter(chunk_size=2000, chunk_overlap=200)
count = 0
for path in sorted(Path(pages).iterdir()):
    pieces = splitter.create_documents([path.read_text()], [{"source": path.name}])
    store.add_documents(pieces)
    count += len(pieces)
wall, cpu = time.monotonic() - began[0], time.process_time() - began[1]
print(
    f"LangChain + Chroma: {count} passages, {cpu:.2f} s CPU ({imported - began[1]:.2f} s of them imports), {wall:.1f} s; "
    "vectors only, no rows, no keywords, no states"
)
