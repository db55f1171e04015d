# Strata for the public: strangers see no folder of the server, and it fetches nothing for them.
#
#   docker build -t strata .
#   docker run --rm -p 8501:8501 --read-only --tmpfs /tmp -v strata:/cache --memory 4g strata
#
# For yourself alone, with downloads and folders: docker build --build-arg PUBLIC= -t strata .
# On a Hugging Face Space, which names its port: docs/install.md.
FROM python:3.11-slim

ARG PUBLIC=1
# Options of pip, such as --index-url of a registry with a smaller torch for processors alone.
ARG PIP_OPTIONS=

WORKDIR /strata
COPY requirements.txt ./
RUN pip install --no-cache-dir ${PIP_OPTIONS} -r requirements.txt
COPY . .
# Number 1000, as whom a Space runs it.
RUN useradd --uid 1000 --no-create-home strata && mkdir /cache && chown strata /cache

ENV STRATA_PUBLIC=${PUBLIC} STRATA_CACHE=/cache HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PORT=8501
USER strata
VOLUME /cache
EXPOSE 8501
HEALTHCHECK --start-period=60s CMD python -c "import os; from urllib.request import urlopen; \
urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/_stcore/health', timeout=5)"
CMD ["sh", "-c", "exec python app.py --server.address 0.0.0.0 --server.port \"$PORT\" \
--server.headless true --logger.hideWelcomeMessage true"]
