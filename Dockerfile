# Strata for the public: strangers see no folder of the server, and it fetches nothing for them.
#
#   docker build -t strata .
#   docker run --rm -p 8501:8501 --read-only --tmpfs /tmp -v strata:/cache --memory 4g strata
#
# For yourself alone, with downloads and folders: docker build --build-arg PUBLIC= -t strata .
FROM python:3.11-slim

ARG PUBLIC=1
# Options of pip, such as --index-url of a registry with a smaller torch for processors alone.
ARG PIP_OPTIONS=

WORKDIR /strata
COPY requirements.txt ./
RUN pip install --no-cache-dir ${PIP_OPTIONS} -r requirements.txt
COPY . .
RUN useradd --no-create-home strata && mkdir /cache && chown strata /cache

ENV STRATA_PUBLIC=${PUBLIC} STRATA_CACHE=/cache HOME=/tmp PYTHONDONTWRITEBYTECODE=1
USER strata
VOLUME /cache
EXPOSE 8501
HEALTHCHECK CMD python -c "from urllib.request import urlopen; urlopen('http://127.0.0.1:8501/_stcore/health', timeout=5)"
CMD ["python", "app.py", "--server.address", "0.0.0.0", "--server.port", "8501", \
     "--server.headless", "true", "--logger.hideWelcomeMessage", "true"]
