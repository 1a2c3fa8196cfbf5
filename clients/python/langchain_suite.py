"""LangChain's chat models."""

from anthropic import APIStatusError
from google.genai.errors import APIError
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI
from openai import APIStatusError as OpenAIStatusError
from pydantic import BaseModel

from frameworks import over_all
from provider import QUESTION
from suite import KEY, URL, main


class Answer(BaseModel):
    """A colour."""

    colour: str


class Client:
    def __init__(self, chat):
        """`chat` makes the chat model for a model's name."""
        self.chat = chat

    def round(self, model, ask, streamed):
        @tool
        def weather(city: str) -> str:
            """The weather in a city."""
            return ask(city)

        chat = self.chat(model).bind_tools([weather])
        turns = [HumanMessage(QUESTION)]
        for _ in range(3):
            answer = gathered(chat.stream(turns)) if streamed else chat.invoke(turns)
            if not answer.tool_calls:
                return answer.text
            turns += [answer, *[weather.invoke(call) for call in answer.tool_calls]]
        raise AssertionError("it goes on calling")

    def structured(self, model):
        return self.chat(model).with_structured_output(Answer, method="json_schema").invoke(QUESTION).colour

    def limited(self, model):
        try:
            self.chat(model).invoke(QUESTION)
        except Exception as error:
            return status(error)
        raise AssertionError("nothing was raised")


def status(error):
    """The status in an error of the SDK below, which LangChain passes on or wraps."""
    while error is not None:
        if isinstance(error, (APIStatusError, OpenAIStatusError)):
            return error.status_code
        if isinstance(error, APIError):
            return error.code
        error = error.__cause__
    raise AssertionError("no error of the SDK")


def gathered(chunks):
    first, *rest = chunks
    return sum(rest, first)


over_all({
    "chat": Client(lambda model: ChatOpenAI(model=model, base_url=f"{URL}/v1", api_key=KEY, max_retries=0)),
    "responses": Client(lambda model: ChatOpenAI(
        model=model, base_url=f"{URL}/v1", api_key=KEY, max_retries=0, use_responses_api=True,
    )),
    "messages": Client(lambda model: ChatAnthropic(
        model=model, base_url=URL, api_key=KEY, max_retries=0, max_tokens=100,
    )),
    "content": Client(lambda model: ChatGoogleGenerativeAI(model=model, base_url=URL, api_key=KEY, max_retries=1)),
})

main()
