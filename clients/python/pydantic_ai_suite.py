"""pydantic-ai's models."""

import asyncio

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

from frameworks import over_all
from provider import QUESTION
from suite import KEY, URL, main


class Answer(BaseModel):
    """A colour."""

    colour: str


class Client:
    def __init__(self, model):
        """`model` makes the model of a name."""
        self.model = model

    def round(self, model, ask, streamed):
        async def run():
            agent = Agent(self.model(model))

            @agent.tool_plain
            def weather(city: str) -> str:
                """The weather in a city."""
                return ask(city)

            if not streamed:
                return (await agent.run(QUESTION)).output
            async with agent.run_stream(QUESTION) as answer:
                return "".join([text async for text in answer.stream_text(delta=True)])

        return asyncio.run(run())

    def structured(self, model):
        async def run():
            return await Agent(self.model(model), output_type=NativeOutput(Answer)).run(QUESTION)

        return asyncio.run(run()).output.colour

    def limited(self, model):
        async def run():
            await Agent(self.model(model)).run(QUESTION)

        try:
            asyncio.run(run())
        except ModelHTTPError as error:
            return error.status_code
        raise AssertionError("nothing was raised")


def openai():
    return OpenAIProvider(openai_client=AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0))


def anthropic():
    return AnthropicProvider(anthropic_client=AsyncAnthropic(base_url=URL, api_key=KEY, max_retries=0))


over_all({
    "chat": Client(lambda model: OpenAIChatModel(model, provider=openai())),
    "responses": Client(lambda model: OpenAIResponsesModel(model, provider=openai())),
    # What a model it does not know can do, it is told.
    "messages": Client(lambda model: AnthropicModel(
        model, provider=anthropic(), profile=ModelProfile(supports_json_schema_output=True),
    )),
    "content": Client(lambda model: GoogleModel(model, provider=GoogleProvider(api_key=KEY, base_url=URL))),
})

main()
