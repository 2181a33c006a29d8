# CPU image that runs the quick start: docker build -t recommenders . && docker run --rm recommenders
# Any other command: docker run --rm -v "$PWD:/data" recommenders python main.py --mode stats --dataset_code file --dataset_path /data/purchases.csv
FROM python:3.13-slim
WORKDIR /app
RUN pip install --no-cache-dir torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
COPY requirements.txt constraints.txt ./
RUN pip install --no-cache-dir -r requirements.txt -c constraints.txt
COPY . .
CMD ["python", "main.py", "--templates", "quickstart"]
