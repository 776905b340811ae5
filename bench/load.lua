-- One operation of the DynamoDB API, sent as fast as the connections allow. Arguments: operation, number of items.
-- Items are "bench" rows of 1 KB under keys "item-00000000"…; a partition of Query holds ten of them.

local operation, items
local value = string.rep("x", 900)

function init(args)
  operation, items = args[1], tonumber(args[2])
  math.randomseed(tonumber(args[3]) or 1)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/x-amz-json-1.0"
  wrk.headers["X-Amz-Target"] = "DynamoDB_20120810." .. operation
  wrk.headers["X-Amz-Date"] = "20260101T000000Z"
  wrk.headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/dynamodb/aws4_request, "
    .. "SignedHeaders=host;x-amz-date;x-amz-target, Signature=" .. string.rep("0", 64)
end

local function key()
  local number = math.random(0, items - 1)
  return string.format('"pk":{"S":"part-%08d"},"sk":{"S":"item-%02d"}', math.floor(number / 10), number % 10)
end

local function item()
  return string.format('{%s,"n":{"N":"%d"},"payload":{"S":"%s"},"flag":{"BOOL":true}}', key(), math.random(1, 1000000), value)
end

function request()
  local body
  if operation == "GetItem" then
    body = '{"TableName":"bench","Key":{' .. key() .. '}}'
  elseif operation == "PutItem" then
    body = '{"TableName":"bench","Item":' .. item() .. '}'
  elseif operation == "UpdateItem" then
    body = '{"TableName":"bench","Key":{' .. key() .. '},"UpdateExpression":"SET #n = :n","ExpressionAttributeNames":{"#n":"n"},'
      .. string.format('"ExpressionAttributeValues":{":n":{"N":"%d"}}}', math.random(1, 1000000))
  elseif operation == "Query" then
    body = string.format('{"TableName":"bench","KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{":p":{"S":"part-%08d"}}}',
      math.random(0, math.floor(items / 10) - 1))
  else
    local first = math.random(0, items - 26)
    local puts = {}
    for i = 0, 24 do
      local number = first + i
      puts[#puts + 1] = string.format(
        '{"PutRequest":{"Item":{"pk":{"S":"part-%08d"},"sk":{"S":"item-%02d"},"n":{"N":"%d"},"payload":{"S":"%s"},"flag":{"BOOL":true}}}}',
        math.floor(number / 10), number % 10, math.random(1, 1000000), value)
    end
    body = '{"RequestItems":{"bench":[' .. table.concat(puts, ",") .. ']}}'
  end
  return wrk.format(nil, "/", nil, body)
end
